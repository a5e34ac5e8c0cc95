ALTER TABLE `tabNote` ADD COLUMN IF NOT EXISTS `colour` varchar(140);
